plugins {
    alias(libs.plugins.android.library)
}

android {
    namespace = "org.edgebundle.sdk"
    compileSdk = libs.versions.compileSdk.get().toInt()
    defaultConfig {
        minSdk = libs.versions.minSdk.get().toInt()
        consumerProguardFiles("consumer-rules.pro")
    }
    flavorDimensions += "runtime"
    productFlavors {
        create("tflite") {
            dimension = "runtime"
            consumerProguardFile("consumer-rules-tflite.pro")
        }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    "tfliteImplementation"(libs.tflite)
    "tfliteImplementation"(libs.tflite.api)
    testImplementation(libs.junit)
    testImplementation(libs.json)
}

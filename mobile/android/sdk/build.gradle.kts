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
        create("executorch") {
            dimension = "runtime"
            consumerProguardFile("consumer-rules-executorch.pro")
        }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    "tfliteApi"(libs.litert)
    "tfliteApi"(libs.litert.gpu)
    "tfliteApi"(libs.litert.gpu.api)
    "executorchApi"(libs.executorch)
    testImplementation(libs.junit)
    testImplementation(libs.json)
}

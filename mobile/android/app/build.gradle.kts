plugins { alias(libs.plugins.android.application) }

android {
    namespace = "org.edgebundle.app"
    compileSdk = libs.versions.compileSdk.get().toInt()
    defaultConfig {
        applicationId = providers.gradleProperty("edgebundle.applicationId").get()
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionName = providers.gradleProperty("edgebundle.versionName").get()
        versionCode = providers.gradleProperty("edgebundle.versionCode").get().toInt()
        manifestPlaceholders["appLabel"] = providers.gradleProperty("edgebundle.appLabel").get()
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }
    flavorDimensions += "runtime"
    productFlavors {
        create("tflite") { dimension = "runtime" }
        create("executorch") { dimension = "runtime" }
    }
    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFile("proguard-rules.pro")
            // The debug key, so that `installRelease` works at once: set your own before you publish.
            signingConfig = signingConfigs.getByName("debug")
        }
    }
    // Models are mapped from the package, so they must not be compressed.
    androidResources { noCompress += listOf("tflite", "pte") }
    packaging { jniLibs { useLegacyPackaging = false } }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies { implementation(project(":sdk")) }

// `installRelease` for the runtime of the bundle that the project carries.
tasks.register("installRelease") {
    dependsOn("install${providers.gradleProperty("edgebundle.runtime").get().replaceFirstChar(Char::uppercase)}Release")
}

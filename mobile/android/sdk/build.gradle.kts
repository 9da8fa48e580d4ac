plugins { alias(libs.plugins.android.library) }

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
    // The GPU delegate is compiled against always, and carried where a variant of the bundle is for it.
    val gpu = if (providers.gradleProperty("edgebundle.gpu").get().toBoolean()) "tfliteApi" else "tfliteCompileOnly"
    gpu(libs.litert.gpu)
    gpu(libs.litert.gpu.api)
    "executorchApi"(
        if (providers.gradleProperty("edgebundle.vulkan").get().toBoolean()) libs.executorch.vulkan
        else libs.executorch.android
    )
    api(libs.coroutines)
    testImplementation(libs.junit)
    testImplementation(libs.json)
}

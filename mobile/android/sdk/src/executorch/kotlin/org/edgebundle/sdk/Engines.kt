package org.edgebundle.sdk

import org.edgebundle.sdk.core.EngineFactory

/** The engines of this flavour, by backend and delegate. */
val ENGINES: Map<String, EngineFactory> =
    mapOf(
        "executorch-xnnpack" to EngineFactory(::openExecutorch),
        "executorch-vulkan" to EngineFactory(::openExecutorch),
    )

package org.edgebundle.sdk.core

/** A bundle or one of its variants cannot be used; the message says which, why, and what to do. */
class BundleError(message: String, cause: Throwable? = null) : Exception(message, cause)

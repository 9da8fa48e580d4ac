package org.edgebundle.sdk

import android.app.Activity
import android.app.Application
import android.content.Context
import android.content.ContextWrapper
import android.os.Bundle

/** Does [ended] when an activity is destroyed, until it is stopped. */
internal class OwnerWatch private constructor(private val owner: Activity, private val ended: () -> Unit) :
    Application.ActivityLifecycleCallbacks {
    private val application = owner.application

    fun stop() = application.unregisterActivityLifecycleCallbacks(this)

    override fun onActivityDestroyed(activity: Activity) {
        if (activity !== owner) return
        stop()
        ended()
    }

    override fun onActivityCreated(activity: Activity, state: Bundle?) = Unit

    override fun onActivityStarted(activity: Activity) = Unit

    override fun onActivityResumed(activity: Activity) = Unit

    override fun onActivityPaused(activity: Activity) = Unit

    override fun onActivityStopped(activity: Activity) = Unit

    override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) = Unit

    companion object {
        /** Watches the activity that [context] is or wraps; `null` when it is none. */
        fun of(context: Context, ended: () -> Unit): OwnerWatch? {
            var inner = context
            while (inner !is Activity) inner = (inner as? ContextWrapper)?.baseContext ?: return null
            return OwnerWatch(inner, ended).also { inner.application.registerActivityLifecycleCallbacks(it) }
        }
    }
}

package org.edgebundle.app

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.graphics.Bitmap
import android.net.Uri
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.provider.MediaStore
import android.view.Menu
import android.view.MenuItem
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.CheckBox
import android.widget.LinearLayout
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import java.io.IOException
import java.util.concurrent.CancellationException
import java.util.concurrent.Executors
import org.edgebundle.sdk.DeviceState
import org.edgebundle.sdk.core.BundleError

/**
 * The first screen: a picture before and after, the variant, and what it costs. Started with the extras of
 * [BenchmarkRequest], it hands them to [BenchmarkActivity].
 */
class MainActivity : Activity() {
    internal val worker = Executors.newSingleThreadExecutor()
    private val main = Handler(Looper.getMainLooper())
    private val ticker = Runnable(::tick)
    private lateinit var device: DeviceState
    private lateinit var status: TextView
    private lateinit var state: TextView
    private lateinit var compare: CompareView
    private lateinit var variants: Spinner
    private lateinit var strength: SeekBar
    private lateinit var whole: CheckBox
    private lateinit var live: CheckBox
    private lateinit var save: Button
    private var studio: Studio? = null
    private var rendered: Bitmap? = null

    /**
     * Where the shown picture came from, and the variant that was chosen: what is found again when the process has
     * died.
     */
    private var source: Uri? = null
    private var chosen: String? = null

    @Volatile private var visible = false

    /** Each wish to render has a number; only the newest one is carried out. */
    @Volatile private var wish = 0

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        if (forwarded(intent)) {
            finish()
            return
        }
        setContentView(R.layout.main)
        device = DeviceState(this)
        status = findViewById(R.id.status)
        this.state = findViewById(R.id.state)
        compare = findViewById(R.id.compare)
        variants = findViewById(R.id.variants)
        strength = findViewById(R.id.strength)
        whole = findViewById(R.id.whole)
        live = findViewById(R.id.live)
        save = findViewById(R.id.save)
        findViewById<Button>(R.id.pick).setOnClickListener {
            ask(Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*"), PICK)
        }
        findViewById<Button>(R.id.take).setOnClickListener { take() }
        save.setOnClickListener { save() }
        if (resources.configuration.fontScale >= LARGE_FONT)
            listOf(R.id.checks, R.id.buttons).forEach { stack(findViewById(it)) }
        strength.setOnSeekBarChangeListener(OnRelease { render() })
        whole.setOnCheckedChangeListener { _, _ -> render() }
        live.setOnCheckedChangeListener { _, _ -> render() }
        source = state?.getString(SOURCE)?.let(Uri::parse)
        chosen = state?.getString(CHOSEN)
        val kept = lastNonConfigurationInstance as Bitmap?
        work {
            val opened = Studio(this)
            val picture = kept ?: source?.let(::loaded)
            if (picture == null) source = null else opened.picture = picture
            show { start(opened) }
        }
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putString(SOURCE, source?.toString())
        state.putString(CHOSEN, chosen)
    }

    override fun onCreateOptionsMenu(menu: Menu): Boolean {
        menu.add(R.string.benchmark).setShowAsAction(MenuItem.SHOW_AS_ACTION_ALWAYS)
        return true
    }

    override fun onOptionsItemSelected(item: MenuItem): Boolean {
        startActivity(Intent(this, BenchmarkActivity::class.java))
        return true
    }

    /** The chosen picture stays when the phone is turned. */
    override fun onRetainNonConfigurationInstance(): Any? = studio?.picture

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        forwarded(intent)
    }

    override fun onStart() {
        super.onStart()
        visible = true
        if (!isFinishing) main.post(ticker)
    }

    /** In the background nothing is computed: the picture in progress ends, and the live mode waits. */
    override fun onStop() {
        visible = false
        main.removeCallbacks(ticker)
        studio?.cancel()
        super.onStop()
    }

    override fun onRestart() {
        super.onRestart()
        if (studio != null) render()
    }

    override fun onDestroy() {
        worker.execute { studio?.close() }
        worker.shutdown()
        super.onDestroy()
    }

    @Deprecated("what replaces it is not part of Android itself")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        if (result != RESULT_OK) return
        val uri = if (request == TAKE) CameraFile.uri(this) else data?.data ?: return
        if (request == SAVE) return write(uri)
        if (request == PICK) keepAccess(uri)
        open(uri)
    }

    /** Shows the picture at [uri]. */
    internal fun open(uri: Uri) = work {
        val picture = loaded(uri) ?: return@work
        source = uri
        studio?.picture = picture
        show { render() }
    }

    /** The picture at [uri]; `null` when it cannot be read, which the screen says. */
    private fun loaded(uri: Uri): Bitmap? =
        try {
            PictureLoader.load(contentResolver, uri)
        } catch (error: IOException) {
            tell(R.string.unreadable, error)
        } catch (
            error:
                RuntimeException) { // another app's provider: it may refuse by a SecurityException, or fail in any way
            tell(R.string.unreadable, error)
        }

    /** So that the picture can be read again after the process has died; not every provider grants that. */
    private fun keepAccess(uri: Uri) =
        try {
            contentResolver.takePersistableUriPermission(uri, Intent.FLAG_GRANT_READ_URI_PERMISSION)
        } catch (_: SecurityException) {
            // Then the bundle's own picture is shown after a restart.
        }

    /** Asks where the rendered picture shall be kept; the system's own dialogue needs no permission. */
    private fun save() {
        if (rendered == null) return
        ask(
            Intent(Intent.ACTION_CREATE_DOCUMENT)
                .addCategory(Intent.CATEGORY_OPENABLE)
                .setType("image/jpeg")
                .putExtra(Intent.EXTRA_TITLE, "${applicationInfo.loadLabel(packageManager)}.jpg"),
            SAVE,
        )
    }

    private fun write(uri: Uri) {
        val picture = rendered ?: return
        work {
            val said =
                try {
                    val stream = contentResolver.openOutputStream(uri, "wt") ?: throw IOException("$uri is gone")
                    stream.use {
                        if (!picture.compress(Bitmap.CompressFormat.JPEG, JPEG_QUALITY, it))
                            throw IOException("it could not be encoded")
                    }
                    getString(R.string.saved)
                } catch (error: IOException) {
                    getString(R.string.not_saved, error.message)
                } catch (error: RuntimeException) { // another app's provider, as in `loaded`
                    getString(R.string.not_saved, error.message)
                }
            show { status.text = said }
        }
    }

    private fun forwarded(intent: Intent): Boolean {
        if (!BenchmarkRequest.isIn(intent)) return false
        startActivity(Intent(this, BenchmarkActivity::class.java).putExtras(intent))
        return true
    }

    private fun take() =
        ask(
            Intent(MediaStore.ACTION_IMAGE_CAPTURE)
                .putExtra(MediaStore.EXTRA_OUTPUT, CameraFile.uri(this))
                .addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION),
            TAKE,
        )

    @Suppress("DEPRECATION")
    private fun ask(intent: Intent, request: Int) =
        try {
            startActivityForResult(intent, request)
        } catch (_: ActivityNotFoundException) {
            status.setText(R.string.no_app)
        } catch (_: SecurityException) { // an app that may not be started by others answers for that kind of request
            status.setText(R.string.no_app)
        }

    private fun start(opened: Studio) {
        studio = opened
        val names = listOf(getString(R.string.automatic)) + opened.variants
        variants.adapter = ArrayAdapter(this, android.R.layout.simple_spinner_dropdown_item, names)
        val at = opened.variants.indexOf(chosen) + 1
        variants.setSelection(at)
        variants.onItemSelectedListener = OnSelected(at) { render() }
        whole.visibility = if (opened.takesWhole) View.VISIBLE else View.GONE
        render()
    }

    private fun render() {
        val studio = studio ?: return
        val number = ++wish
        val variant =
            if (variants.selectedItemPosition <= 0) null else studio.variants[variants.selectedItemPosition - 1]
        chosen = variant
        val share = strength.progress.toFloat() / strength.max
        val all = whole.isChecked
        status.setText(R.string.working)
        work {
            if (number != wish) return@work
            val shown = studio.render(variant, share, all)
            show {
                status.text =
                    (listOf(getString(R.string.latency, shown.variant, shown.milliseconds, shown.delegate)) +
                            shown.labels +
                            shown.messages)
                        .joinToString("\n")
                compare.show(shown.before, shown.after)
                rendered = shown.after
                save.isEnabled = rendered != null
                if (live.isChecked && visible && number == wish) render()
            }
        }
    }

    /** What stands side by side stands one below the other, where letters are so large that words would break. */
    private fun stack(row: LinearLayout) {
        row.orientation = LinearLayout.VERTICAL
        for (at in 0 until row.childCount) {
            row.getChildAt(at).layoutParams =
                LinearLayout.LayoutParams(
                    LinearLayout.LayoutParams.MATCH_PARENT,
                    LinearLayout.LayoutParams.WRAP_CONTENT,
                )
        }
    }

    private fun tell(text: Int, error: Exception): Bitmap? {
        show { status.text = getString(text, error.message) }
        return null
    }

    private fun tick() {
        state.text = getString(R.string.state, device.memoryMb(), device.temperature())
        main.postDelayed(ticker, TICK_MS)
    }

    /** Runs [job] off the main thread; a bundle that cannot be used is shown in words. */
    private fun work(job: () -> Unit) =
        worker.execute {
            try {
                job()
            } catch (error: BundleError) {
                show { status.text = error.message }
            } catch (_: CancellationException) {
                show { status.setText(R.string.cancelled) }
            } catch (_: OutOfMemoryError) {
                show { status.setText(R.string.no_memory) }
            }
        }

    private fun show(update: () -> Unit) = main.post { if (!isDestroyed) update() }

    private companion object {
        const val PICK = 1
        const val TAKE = 2
        const val SAVE = 3
        const val JPEG_QUALITY = 95
        const val TICK_MS = 1_000L
        const val LARGE_FONT = 1.3f
        const val SOURCE = "source"
        const val CHOSEN = "chosen"
    }
}

/** A slider that answers when it is let go. */
private class OnRelease(private val act: () -> Unit) : SeekBar.OnSeekBarChangeListener {
    override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) = Unit

    override fun onStartTrackingTouch(bar: SeekBar) = Unit

    override fun onStopTrackingTouch(bar: SeekBar) = act()
}

/**
 * A list that answers when another entry is chosen; the first answer only tells of the entry that was shown from the
 * start.
 */
private class OnSelected(private var shown: Int, private val act: () -> Unit) : AdapterView.OnItemSelectedListener {

    override fun onItemSelected(parent: AdapterView<*>, view: View?, position: Int, id: Long) {
        if (position != shown) act()
        shown = position
    }

    override fun onNothingSelected(parent: AdapterView<*>) = Unit
}

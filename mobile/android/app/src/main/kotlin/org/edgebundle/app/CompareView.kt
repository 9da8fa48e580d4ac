package org.edgebundle.app

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.RectF
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.View
import kotlin.math.min

/** Two pictures in one frame, divided by a line that follows the finger: before on the left, after on the right. */
class CompareView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private var before: Bitmap? = null
    private var after: Bitmap? = null
    private var split = 0.5f
    private val frame = RectF()
    private val picture = Paint(Paint.FILTER_BITMAP_FLAG)
    private val line = Paint().apply {
        color = Color.WHITE
        strokeWidth = 2 * resources.displayMetrics.density
    }

    /** Shows [before], and [after] over its right part. */
    fun show(before: Bitmap, after: Bitmap?) {
        this.before = before
        this.after = after
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val left = before ?: return
        val shape = after ?: left
        val scale = min(width.toFloat() / shape.width, height.toFloat() / shape.height)
        frame.set(0f, 0f, shape.width * scale, shape.height * scale)
        frame.offset((width - frame.width()) / 2, (height - frame.height()) / 2)
        canvas.drawBitmap(left, null, frame, picture)
        val right = after ?: return
        val x = frame.left + split * frame.width()
        canvas.save()
        canvas.clipRect(x, frame.top, frame.right, frame.bottom)
        canvas.drawBitmap(right, null, frame, picture)
        canvas.restore()
        canvas.drawLine(x, frame.top, x, frame.bottom, line)
    }

    override fun onTouchEvent(event: MotionEvent): Boolean {
        if (after == null || frame.width() == 0f) return super.onTouchEvent(event)
        split = ((event.x - frame.left) / frame.width()).coerceIn(0f, 1f)
        if (event.actionMasked == MotionEvent.ACTION_UP) performClick()
        invalidate()
        return true
    }

    override fun performClick(): Boolean {
        super.performClick()
        return true
    }
}

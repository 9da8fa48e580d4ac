package org.edgebundle.app

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.Path
import android.graphics.RectF
import android.util.AttributeSet
import android.util.TypedValue
import android.view.MotionEvent
import android.view.View
import kotlin.math.min

/**
 * Two pictures in one frame, divided by a line with a knob that follows the finger: before on the left, after on the
 * right.
 */
class CompareView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private var before: Bitmap? = null
    private var after: Bitmap? = null
    private var split = 0.5f
    private val frame = RectF()
    private val picture = Paint(Paint.FILTER_BITMAP_FLAG)
    private val dp = resources.displayMetrics.density
    private val line =
        Paint(Paint.ANTI_ALIAS_FLAG).apply {
            color = Color.WHITE
            strokeWidth = 2 * dp
            setShadowLayer(2 * dp, 0f, 0f, SHADOW)
        }
    private val label =
        Paint(Paint.ANTI_ALIAS_FLAG).apply {
            color = Color.WHITE
            textSize = TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_SP, 14f, resources.displayMetrics)
            setShadowLayer(3 * dp, 0f, 0f, SHADOW)
        }
    private val arrow = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = Color.DKGRAY }
    private val arrows =
        Path().apply {
            for (side in intArrayOf(-1, 1)) {
                moveTo(side * 9 * dp, 0f)
                lineTo(side * 4 * dp, -5 * dp)
                lineTo(side * 4 * dp, 5 * dp)
                close()
            }
        }
    private val beforeText = context.getString(R.string.before)
    private val afterText = context.getString(R.string.after)

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
        drawLabels(canvas, x)
        canvas.drawCircle(x, frame.centerY(), 16 * dp, line)
        canvas.save()
        canvas.translate(x, frame.centerY())
        canvas.drawPath(arrows, arrow)
        canvas.restore()
    }

    /** Each side's name in its upper corner, as long as the line leaves it room. */
    private fun drawLabels(canvas: Canvas, x: Float) {
        val gap = 8 * dp
        val y = frame.top + gap + label.textSize
        val afterWidth = label.measureText(afterText)
        if (x > frame.left + 2 * gap + label.measureText(beforeText))
            canvas.drawText(beforeText, frame.left + gap, y, label)
        if (x < frame.right - 2 * gap - afterWidth) canvas.drawText(afterText, frame.right - gap - afterWidth, y, label)
    }

    override fun onTouchEvent(event: MotionEvent): Boolean {
        if (after == null || frame.width() == 0f) return super.onTouchEvent(event)
        split = ((event.x - frame.left) / frame.width()).coerceIn(0f, 1f)
        // The screen scrolls; a finger that moves the line does not.
        if (event.actionMasked == MotionEvent.ACTION_DOWN) parent?.requestDisallowInterceptTouchEvent(true)
        if (event.actionMasked == MotionEvent.ACTION_UP) performClick()
        invalidate()
        return true
    }

    override fun performClick(): Boolean {
        super.performClick()
        return true
    }

    private companion object {
        const val SHADOW = 0x99 shl 24
    }
}

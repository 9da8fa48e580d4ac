package org.example.consumer;

import android.content.Context;
import android.graphics.Bitmap;
import java.io.File;
import java.util.List;
import org.edgebundle.sdk.FrameProcessor;
import org.edgebundle.sdk.ImageModel;
import org.edgebundle.sdk.VideoFiles;
import org.edgebundle.sdk.core.BundleError;
import org.edgebundle.sdk.core.ScoredLabel;
import org.edgebundle.sdk.core.Tried;
import org.edgebundle.sdk.core.VideoError;

/** The same library from Java: no Companion, no Unit, no default that must be given. */
public final class JavaConsumer {
    private final Context context;

    public JavaConsumer(Context context) {
        this.context = context;
    }

    public String use(Bitmap photo) {
        try (ImageModel model = ImageModel.open(context)) {
            Bitmap picture = model.process(photo);
            Bitmap soft = model.process(photo, 0.5f, picture);
            Bitmap whole = model.processLarge(soft, 1f, (done, tiles) -> System.out.println(done + "/" + tiles));
            AutoCloseable call = model.processAsync(whole, (result, error) -> System.out.println(result == null ? error.getMessage() : "done"));
            call.close();
            List<ScoredLabel> labels = model.isClassifier() ? model.classify(photo) : List.of();
            try (FrameProcessor frames = new FrameProcessor(context, model, error -> System.out.println(error), shown -> System.out.println(shown.getWidth()))) {
                frames.submit(photo);
            }
            StringBuilder said = new StringBuilder(model.getVariant() + labels);
            for (Tried tried : model.getTried()) said.append(tried.getReason());
            return said.toString();
        } catch (BundleError error) {
            return error.getMessage();
        } catch (Exception error) {
            return "the call could not be closed: " + error.getMessage();
        }
    }

    public String film(File input, File output) throws BundleError {
        try (ImageModel model = ImageModel.open(context, "small")) {
            return VideoFiles.stylizeVideo(model, input, output, 5, done -> System.out.println(done)).getFrames() + " frames";
        } catch (VideoError error) {
            return error.getProblem() + ": " + error.getMessage();
        }
    }

    public ImageModel preferred() throws BundleError {
        return ImageModel.open(context, "small", ImageModel.defaultThreads(), "tflite-second");
    }
}

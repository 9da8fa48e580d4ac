import com.facebook.ktfmt.format.Formatter;
import com.facebook.ktfmt.format.FormattingOptions;
import java.nio.file.Files;
import java.nio.file.Path;

/** ktfmt with lines to 120, which its own command line does not offer. Started from source: java Ktfmt.java FILE... */
class Ktfmt {
    /** Columns, indent of a block and of a continued line; commas at ends are kept up, unused imports go, nothing is printed. */
    static final FormattingOptions OPTIONS = new FormattingOptions(120, 4, 4, true, true, false);

    public static void main(String[] files) throws Exception {
        for (String file : files) {
            Path path = Path.of(file);
            Files.writeString(path, Formatter.format(OPTIONS, Files.readString(path)));
        }
    }
}

package bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.streaming.api.functions.source.SourceFunction;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceFunctionProvider;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * A stream's rows (data BYTES, shard STRING, arrival TIMESTAMP_LTZ(3)), read once from a file of lines {@code arrival in
 * epoch milliseconds, tab, record}: bytes, as Kinesis's connector gives them. Flink's file source would make a text of
 * each line, to be cut and made bytes again, a fifth of the JVM's work. {@code 'connector' = 'records', 'path' = file},
 * with lines of less than a megabyte; parallelism 1.
 */
public final class RecordsFactory implements DynamicTableSourceFactory {
    private static final ConfigOption<String> PATH =
            ConfigOptions.key("path").stringType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return "records";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(PATH);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        return new Table(FactoryUtil.createTableFactoryHelper(this, context).getOptions().get(PATH));
    }

    private static final class Table implements ScanTableSource {
        private final String path;

        Table(String path) {
            this.path = path;
        }

        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            return SourceFunctionProvider.of(new Lines(path), true);
        }

        @Override
        public DynamicTableSource copy() {
            return new Table(path);
        }

        @Override
        public String asSummaryString() {
            return "records";
        }
    }

    private static final class Lines implements SourceFunction<RowData> {
        private final String path;
        private volatile boolean running = true;

        Lines(String path) {
            this.path = path;
        }

        @Override
        public void run(SourceContext<RowData> out) throws IOException {
            StringData shard = StringData.fromString("0");
            byte[] chunk = new byte[1 << 20];
            try (InputStream file = Files.newInputStream(Path.of(path))) {
                int end = 0;
                for (int more; running && (more = file.read(chunk, end, chunk.length - end)) > 0; ) {
                    end += more;
                    int line = 0;
                    for (int stop; (stop = find('\n', chunk, line, end)) < end; line = stop + 1) {
                        int tab = find('\t', chunk, line, stop);
                        long arrival = 0;
                        for (int k = line; k < tab; k++) {
                            arrival = 10 * arrival + chunk[k] - '0';
                        }
                        byte[] record = Arrays.copyOfRange(chunk, tab + 1, stop);
                        synchronized (out.getCheckpointLock()) {
                            out.collect(GenericRowData.of(record, shard, TimestampData.fromEpochMillis(arrival)));
                        }
                    }
                    // The beginning of a line whose end is not read yet.
                    System.arraycopy(chunk, line, chunk, 0, end - line);
                    end -= line;
                }
            }
        }

        private static int find(char wanted, byte[] bytes, int from, int end) {
            while (from < end && bytes[from] != wanted) {
                from++;
            }
            return from;
        }

        @Override
        public void cancel() {
            running = false;
        }
    }
}

package bench;

import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
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
 * each line, to be cut and made bytes again, a fifth of the JVM's work. {@code 'connector' = 'records', 'path' = file of
 * less than 2 GB}; parallelism 1.
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
            try (FileChannel channel = FileChannel.open(Path.of(path))) {
                MappedByteBuffer file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
                while (running && file.hasRemaining()) {
                    long arrival = 0;
                    for (byte digit = file.get(); digit != '\t'; digit = file.get()) {
                        arrival = 10 * arrival + digit - '0';
                    }
                    int start = file.position();
                    while (file.get() != '\n') {}
                    byte[] record = new byte[file.position() - 1 - start];
                    file.position(start);
                    file.get(record).get();
                    synchronized (out.getCheckpointLock()) {
                        out.collect(GenericRowData.of(record, shard, TimestampData.fromEpochMillis(arrival)));
                    }
                }
            }
        }

        @Override
        public void cancel() {
            running = false;
        }
    }
}

package bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.functions.sink.RichSinkFunction;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkFunctionProvider;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.logical.RowType;

/**
 * A sink like {@code blackhole} that counts: {@code 'connector' = 'probe', 'path' = folder}. Each subtask keeps a file
 * there with its rows so far and the clock, rewritten about every 50 ms while rows come and at the end. A column
 * {@code sent_ms BIGINT}, the clock when the row left the source, makes it tell latencies too: the file's second line
 * has how many rows took 0, 1, ... 9999 ms, but the first {@code 'skip'}.
 */
public final class ProbeFactory implements DynamicTableSinkFactory {
    private static final ConfigOption<String> PATH =
            ConfigOptions.key("path").stringType().noDefaultValue();

    private static final ConfigOption<Integer> SKIP =
            ConfigOptions.key("skip").intType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return "probe";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(PATH, SKIP);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        ReadableConfig options = FactoryUtil.createTableFactoryHelper(this, context).getOptions();
        RowType row = (RowType) context.getPhysicalRowDataType().getLogicalType();
        return new Probe(new Counter(options.get(PATH), row.getFieldIndex("sent_ms"), options.get(SKIP)));
    }

    private static final class Probe implements DynamicTableSink {
        private final Counter counter;

        Probe(Counter counter) {
            this.counter = counter;
        }

        @Override
        public ChangelogMode getChangelogMode(ChangelogMode requested) {
            return requested;
        }

        @Override
        public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
            return SinkFunctionProvider.of(counter);
        }

        @Override
        public DynamicTableSink copy() {
            return new Probe(counter);
        }

        @Override
        public String asSummaryString() {
            return "probe";
        }
    }

    private static final class Counter extends RichSinkFunction<RowData> {
        private final String path;
        private final int sent;
        private final int skip;
        private transient long rows;
        private transient long told;
        private transient int[] latencies;

        Counter(String path, int sent, int skip) {
            this.path = path;
            this.sent = sent;
            this.skip = skip;
        }

        @Override
        public void open(Configuration configuration) {
            latencies = new int[sent < 0 ? 0 : 10_000];
        }

        @Override
        public void invoke(RowData row, Context context) throws IOException {
            rows++;
            if (sent >= 0 && rows > skip) {
                long taken = System.currentTimeMillis() - row.getLong(sent);
                latencies[(int) Math.max(0, Math.min(taken, latencies.length - 1))]++;
            }
            if (System.nanoTime() - told > 50_000_000) {
                tell(false);
            }
        }

        @Override
        public void close() throws IOException {
            if (latencies != null) {
                tell(true);
            }
        }

        private void tell(boolean everything) throws IOException {
            told = System.nanoTime();
            int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
            StringBuilder text = new StringBuilder().append(rows).append(' ').append(System.currentTimeMillis());
            if (everything) {
                text.append('\n');
                for (int count : latencies) {
                    text.append(count).append(' ');
                }
            }
            Path draft = Path.of(path, subtask + ".draft");
            Files.writeString(draft, text);
            Files.move(draft, Path.of(path, subtask + ".count"), StandardCopyOption.ATOMIC_MOVE);
        }
    }
}

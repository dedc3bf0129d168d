package bench;

import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.functions.source.SourceFunction;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * Rows (price DOUBLE, quantity INTEGER, id BIGINT) at an even pace, which {@code datagen} has not: it sends a second's
 * rows at once. {@code 'connector' = 'paced', 'rate' = rows a second, 'rows' = how many}; parallelism 1.
 */
public final class PacedFactory implements DynamicTableSourceFactory {
    private static final ConfigOption<Integer> RATE =
            ConfigOptions.key("rate").intType().noDefaultValue();
    private static final ConfigOption<Integer> ROWS =
            ConfigOptions.key("rows").intType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return "paced";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(RATE, ROWS);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        ReadableConfig options = FactoryUtil.createTableFactoryHelper(this, context).getOptions();
        return new FunctionTable(new Pacer(options.get(RATE), options.get(ROWS)));
    }

    private static final class Pacer implements SourceFunction<RowData> {
        private final int rate;
        private final int rows;
        private volatile boolean running = true;

        Pacer(int rate, int rows) {
            this.rate = rate;
            this.rows = rows;
        }

        @Override
        public void run(SourceContext<RowData> out) {
            ThreadLocalRandom random = ThreadLocalRandom.current();
            long start = System.nanoTime();
            for (long id = 1; running && id <= rows; id++) {
                LockSupport.parkNanos(start + id * 1_000_000_000L / rate - System.nanoTime());
                synchronized (out.getCheckpointLock()) {
                    out.collect(GenericRowData.of(random.nextDouble(90, 110), random.nextInt(1, 1000), id));
                }
            }
        }

        @Override
        public void cancel() {
            running = false;
        }
    }
}

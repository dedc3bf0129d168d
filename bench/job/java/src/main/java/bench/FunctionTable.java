package bench;

import org.apache.flink.streaming.api.functions.source.SourceFunction;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceFunctionProvider;
import org.apache.flink.table.data.RowData;

/** A bounded table of the rows that a function emits. */
final class FunctionTable implements ScanTableSource {
    private final SourceFunction<RowData> rows;

    FunctionTable(SourceFunction<RowData> rows) {
        this.rows = rows;
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        return SourceFunctionProvider.of(rows, true);
    }

    @Override
    public DynamicTableSource copy() {
        return new FunctionTable(rows);
    }

    @Override
    public String asSummaryString() {
        return rows.getClass().getSimpleName();
    }
}

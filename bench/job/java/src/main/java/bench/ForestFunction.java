package bench;

import com.amazon.randomcutforest.RandomCutForest;
import com.amazon.randomcutforest.state.RandomCutForestMapper;
import com.amazon.randomcutforest.state.RandomCutForestState;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;
import org.apache.flink.util.InstantiationUtil;

/**
 * What a Java job does with AWS's forest: one live forest a key, written out only when a checkpoint asks for it. No
 * form of state costs less per record, and after a failure it goes on exactly.
 */
public final class ForestFunction extends KeyedProcessFunction<String, Row, Row> implements CheckpointedFunction {
    private final int[] columns;
    private final int trees;
    private final int samples;
    private transient Map<String, RandomCutForest> forests;
    private transient ListState<Tuple2<String, byte[]>> saved;
    private transient float[] point;

    private ForestFunction(int[] columns, int trees, int samples) {
        this.columns = columns;
        this.trees = trees;
        this.samples = samples;
    }

    /** The rows of a stream, each with its score behind its values; {@code key} is the key's place in a row. */
    public static DataStream<Row> score(
            DataStream<Row> rows, int key, int[] columns, int trees, int samples, TypeInformation<Row> result) {
        return rows.keyBy(row -> (String) row.getField(key), Types.STRING)
                .process(new ForestFunction(columns, trees, samples), result)
                .name("AWS forest");
    }

    @Override
    public void processElement(Row row, Context context, Collector<Row> out) {
        RandomCutForest forest = forests.computeIfAbsent(context.getCurrentKey(), key -> forest());
        for (int i = 0; i < columns.length; i++) {
            point[i] = ((Number) row.getField(columns[i])).floatValue();
        }
        double score = forest.getAnomalyScore(point);
        forest.update(point);
        int arity = row.getArity();
        Row scored = new Row(arity + 1);
        for (int i = 0; i < arity; i++) {
            scored.setField(i, row.getField(i));
        }
        scored.setField(arity, score);
        out.collect(scored);
    }

    private RandomCutForest forest() {
        return RandomCutForest.builder()
                .dimensions(columns.length)
                .numberOfTrees(trees)
                .sampleSize(samples)
                .outputAfter(samples)
                .initialAcceptFraction(1.0)
                .timeDecay(1.0 / 100_000)
                .randomSeed(0)
                .parallelExecutionEnabled(false)
                .build();
    }

    private static RandomCutForestMapper mapper() {
        RandomCutForestMapper mapper = new RandomCutForestMapper();
        mapper.setSaveExecutorContextEnabled(true);
        mapper.setSaveTreeStateEnabled(true);
        return mapper;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        forests = new HashMap<>();
        point = new float[columns.length];
        saved = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>(
                        "forests", Types.TUPLE(Types.STRING, Types.PRIMITIVE_ARRAY(Types.BYTE))));
        for (Tuple2<String, byte[]> forest : saved.get()) {
            RandomCutForestState state =
                    InstantiationUtil.deserializeObject(forest.f1, getClass().getClassLoader());
            forests.put(forest.f0, mapper().toModel(state));
        }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        saved.clear();
        for (Map.Entry<String, RandomCutForest> forest : forests.entrySet()) {
            byte[] state = InstantiationUtil.serializeObject(mapper().toState(forest.getValue()));
            saved.add(Tuple2.of(forest.getKey(), state));
        }
    }
}

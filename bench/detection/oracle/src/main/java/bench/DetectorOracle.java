package bench;

import com.amazon.randomcutforest.config.ForestMode;
import com.amazon.randomcutforest.config.Precision;
import com.amazon.randomcutforest.config.TransformMethod;
import com.amazon.randomcutforest.parkservices.AnomalyDescriptor;
import com.amazon.randomcutforest.parkservices.ThresholdedRandomCutForest;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.lang.management.ManagementFactory;

/**
 * Reads shingle size, number of values, how many of them to warm up with, and the values (one column, big-endian);
 * answers with the CPU time of the others in nanoseconds and how many of all rows had a grade.
 */
public final class DetectorOracle {
    public static void main(String[] arguments) throws Exception {
        DataInputStream in = new DataInputStream(new java.io.BufferedInputStream(System.in, 1 << 16));
        int shingle = in.readInt();
        int count = in.readInt();
        int warmUp = in.readInt();
        double[] values = new double[count];
        for (int k = 0; k < count; k++) {
            values[k] = in.readDouble();
        }
        ThresholdedRandomCutForest forest = ThresholdedRandomCutForest.builder()
                .compact(true).dimensions(shingle).shingleSize(shingle).numberOfTrees(50).sampleSize(256)
                .precision(Precision.FLOAT_32).randomSeed(1).anomalyRate(0.005).forestMode(ForestMode.STANDARD)
                .transformMethod(shingle > 1 ? TransformMethod.NORMALIZE : TransformMethod.NONE).build();
        int graded = 0;
        long start = 0;
        for (int k = 0; k < count; k++) {
            if (k == warmUp) {
                start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            }
            AnomalyDescriptor found = forest.process(new double[] {values[k]}, k);
            graded += found.getAnomalyGrade() > 0 ? 1 : 0;
        }
        DataOutputStream out = new DataOutputStream(System.out);
        out.writeLong(ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - start);
        out.writeInt(graded);
        out.flush();
    }
}

package bench;

import com.amazon.randomcutforest.RandomCutForest;
import com.sun.management.OperatingSystemMXBean;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Scores, then learns, each point of what comes on standard input, and answers on standard output; until the
 * input ends. The process stays, so that the compiler of the JVM is warm from the second request on.
 *
 * <p>Request (little-endian): int trees, samples, columns, shingle, points, warm-up; long decay, seed; then points x
 * columns doubles. Answer: long nanoseconds of CPU time, the garbage
 * collector's included, for the points behind the warm-up; then one
 * double a point.
 */
public final class ForestOracle {
    public static void main(String[] arguments) throws IOException {
        DataInputStream in = new DataInputStream(new java.io.BufferedInputStream(System.in, 1 << 20));
        DataOutputStream out = new DataOutputStream(new java.io.BufferedOutputStream(System.out, 1 << 20));
        OperatingSystemMXBean clock = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        byte[] head = new byte[40];
        while (in.readNBytes(head, 0, head.length) == head.length) {
            ByteBuffer request = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN);
            int trees = request.getInt();
            int samples = request.getInt();
            int columns = request.getInt();
            int shingle = request.getInt();
            int points = request.getInt();
            int warmUp = request.getInt();
            long decay = request.getLong();
            long seed = request.getLong();
            byte[] body = new byte[points * columns * 8];
            in.readFully(body);
            ByteBuffer data = ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN);
            RandomCutForest forest =
                    RandomCutForest.builder()
                            .dimensions(columns * shingle)
                            .shingleSize(shingle)
                            .internalShinglingEnabled(shingle > 1)
                            .numberOfTrees(trees)
                            .sampleSize(samples)
                            .outputAfter(samples)
                            .initialAcceptFraction(1.0)
                            .timeDecay(1.0 / decay)
                            .randomSeed(seed)
                            .parallelExecutionEnabled(false)
                            .build();
            double[] scores = new double[points];
            float[] point = new float[columns];
            long start = clock.getProcessCpuTime();
            for (int i = 0; i < points; i++) {
                if (i == warmUp) {
                    start = clock.getProcessCpuTime();
                }
                for (int d = 0; d < columns; d++) {
                    point[d] = (float) data.getDouble();
                }
                scores[i] = forest.getAnomalyScore(point);
                forest.update(point);
            }
            long spent = clock.getProcessCpuTime() - start;
            ByteBuffer answer = ByteBuffer.allocate(8 + 8 * points).order(ByteOrder.LITTLE_ENDIAN);
            answer.putLong(spent);
            for (double score : scores) {
                answer.putDouble(score);
            }
            out.write(answer.array());
            out.flush();
        }
    }
}

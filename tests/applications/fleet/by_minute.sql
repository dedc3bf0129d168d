-- A vehicle's averages: one row a vehicle and minute, when the minute is over. km/h, and litres on 100 km.
SELECT vehicle, window_end AS minute_end, AVG(speed) AS speed, AVG(fuel) AS fuel, window_time AS rowtime
FROM TABLE(TUMBLE(TABLE telemetry, DESCRIPTOR(rowtime), INTERVAL '1' MINUTE))
GROUP BY vehicle, window_start, window_end, window_time

-- Mean speed: one row a vehicle and window, when the window closes.
SELECT vehicle, window_end, AVG(speed) AS speed, window_time AS rowtime
FROM TABLE(TUMBLE(TABLE telemetry, DESCRIPTOR(rowtime), :averages.size))
GROUP BY vehicle, window_start, window_end, window_time

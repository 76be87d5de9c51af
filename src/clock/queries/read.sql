select clock_time as "clock_time!", known_time, log_time, verdict as "verdict!: ClockVerdict"
from read_clock()

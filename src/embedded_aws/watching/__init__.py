"""CloudWatch's own work: metrics from log lines, and alarms from metrics. moto keeps both and evaluates neither."""

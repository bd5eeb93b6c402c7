# Alarms on what the server says in its log, and on how the service does.

locals {
  # Each is an event of the server's log, by its name.
  watched = {
    "audit-altered"   = { events = ["audit_trail_altered", "audit_chain_lost", "audit_pruning_refused"], text = "The audit trail is not as it was written. docs/runbooks/audit-altered.md" }
    "audit-failed"    = { events = ["audit_write_failed", "audit_writer_stuck"], text = "Audit records could not be written; calls are refused meanwhile. docs/runbooks/audit-failing.md" }
    "circuit-opened"  = { events = ["upstream_circuit_opened"], text = "An API failed so often that it is not asked for a while. docs/runbooks/circuit-open.md" }
    "job-dead"        = { events = ["job_dead", "webhook_given_up"], text = "A job or a webhook was given up. docs/runbooks/jobs-dead.md" }
    "request-failed"  = { events = ["request_failed", "mcp_request_failed", "tool_call_broke"], text = "A request broke inside the server. docs/runbooks/error-budget-burn.md" }
    "account-attacks" = { events = ["account_locked"], text = "An account was locked after wrong passwords. docs/runbooks/credentials-refused.md" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "watched" {
  for_each = local.watched

  name           = each.key
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ ${join(" || ", [for event in each.value.events : "($.event = \"${event}\")"])} }"

  metric_transformation {
    namespace     = "msil-mcp/${var.name}"
    name          = each.key
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "watched" {
  for_each = local.watched

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = "msil-mcp/${var.name}"
  metric_name         = aws_cloudwatch_log_metric_filter.watched[each.key].name
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "load" {
  for_each = { cpu = "CPUUtilization", memory = "MemoryUtilization" }

  alarm_name          = "${var.name}-tasks-${each.key}"
  alarm_description   = "The tasks' ${each.key} stays above 85 percent although there may be more of them. docs/runbooks/machine-full.md"
  namespace           = "AWS/ECS"
  metric_name         = each.value
  dimensions          = { ClusterName = aws_ecs_cluster.this.name, ServiceName = aws_ecs_service.this.name }
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 15
  comparison_operator = "GreaterThanThreshold"
  threshold           = 85
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "running" {
  count = var.min_tasks > 0 ? 1 : 0

  alarm_name          = "${var.name}-tasks-running"
  alarm_description   = "Fewer tasks run than there should be at least. docs/runbooks/down.md"
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = aws_ecs_cluster.this.name, ServiceName = aws_ecs_service.this.name }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = var.min_tasks
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
}

output "topic_arn" {
  description = "Where alarms go. Known only once it takes them."
  value       = aws_sns_topic_policy.this.arn
}

output "rollback_alarms" {
  description = "Alarms that undo a deployment."
  value       = [aws_cloudwatch_metric_alarm.errors.alarm_name]
}

output "family" {
  description = "The task definition, to run by hand."
  value       = aws_ecs_task_definition.this.family
}

output "task_role_arn" {
  description = "What the task is."
  value       = aws_iam_role.task.arn
}

output "cluster_name" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.name
}

output "cluster_arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "service_name" {
  description = "The service."
  value       = aws_ecs_service.this.name
}

output "service_arn" {
  description = "The service."
  value       = aws_ecs_service.this.id
}

output "command_family" {
  description = "Task definition for single commands."
  value       = aws_ecs_task_definition.command.family
}

output "log_group_name" {
  description = "Where the logs are."
  value       = aws_cloudwatch_log_group.this.name
}

output "security_group_ids" {
  description = "Groups of a task."
  value       = concat([aws_security_group.this.id], var.client_security_group_ids)
}

output "execution_role_arn" {
  description = "What starts tasks."
  value       = aws_iam_role.execution.arn
}

output "task_role_arn" {
  description = "What tasks are."
  value       = aws_iam_role.task.arn
}

output "container" {
  description = "The container of a task, for other task definitions."
  value       = local.container
}

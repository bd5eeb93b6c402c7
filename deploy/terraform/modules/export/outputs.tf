output "family" {
  description = "The task definition, to run by hand."
  value       = aws_ecs_task_definition.this.family
}

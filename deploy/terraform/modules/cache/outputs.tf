output "url_secret_arn" {
  description = "Secret with REDIS_URL."
  value       = aws_secretsmanager_secret_version.url.arn
}

output "node_ids" {
  description = "Nodes, for alarms."
  value       = [for index in range(var.nodes) : format("%s-%03d", var.name, index + 1)]
}

output "client_security_group_id" {
  description = "Who belongs to it may connect."
  value       = aws_security_group.clients.id
}

# No password is in these: libpq, below the product's driver, takes it from PGPASSWORD.
output "url" {
  description = "DATABASE_URL."
  value       = "postgresql://msil@${aws_db_instance.this.address}:${local.port}/msil?sslmode=require"
}

output "read_url" {
  description = "DATABASE_READ_URL; empty without a read replica."
  value       = var.read_replica ? "postgresql://msil@${aws_db_instance.replica[0].address}:${local.port}/msil?sslmode=require" : ""
}

output "identifier" {
  description = "The instance."
  value       = aws_db_instance.this.identifier
}

output "replica_identifier" {
  description = "The read replica; empty without one."
  value       = var.read_replica ? aws_db_instance.replica[0].identifier : ""
}

output "arn" {
  description = "What another region follows."
  value       = aws_db_instance.this.arn
}

output "client_security_group_id" {
  description = "Who belongs to it may connect."
  value       = aws_security_group.clients.id
}

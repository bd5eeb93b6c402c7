output "arns" {
  description = "Secrets by name: secret-key, metrics-token, database."
  value = merge(
    { for name, version in aws_secretsmanager_secret_version.this : name => version.arn },
    { for name, secret in data.aws_secretsmanager_secret.replicated : name => secret.arn },
  )
}

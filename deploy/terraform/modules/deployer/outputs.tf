output "role_arn" {
  description = "What the pipeline takes on."
  value       = aws_iam_role.this.arn
}

output "audit_bucket_arn" {
  description = "Where exports of the audit trail are kept."
  value       = aws_s3_bucket.audit.arn
}

output "audit_bucket_name" {
  description = "Its name."
  value       = aws_s3_bucket.audit.bucket
}

# Both are known only once the bucket lets them write.
output "log_bucket_arn" {
  description = "Where access logs are kept."
  value       = aws_s3_bucket.logs.arn
  depends_on  = [aws_s3_bucket_policy.logs]
}

output "log_bucket_name" {
  description = "Its name."
  value       = aws_s3_bucket_policy.logs.bucket
}

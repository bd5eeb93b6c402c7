output "domain_name" {
  description = "CloudFront's own name."
  value       = aws_cloudfront_distribution.this.domain_name
}

output "target_group_arn" {
  description = "Where tasks are registered. Known only once a listener uses it."
  value       = aws_lb_listener.https.default_action[0].target_group_arn
}

output "target_group_suffix" {
  description = "Its name in metrics."
  value       = aws_lb_target_group.this.arn_suffix
}

output "suffix" {
  description = "The load balancer's name in metrics."
  value       = aws_lb.this.arn_suffix
}

output "dns_name" {
  description = "The load balancer's own name."
  value       = aws_lb.this.dns_name
}

output "security_group_id" {
  description = "What tasks let in."
  value       = aws_security_group.this.id
}

output "url" {
  description = "Where people and clients connect."
  value       = "https://${var.domain_name}"
}

output "cluster_name" {
  description = "The cluster, for `aws ecs`."
  value       = module.service.cluster_name
}

output "service_name" {
  description = "The service."
  value       = module.service.service_name
}

output "command_family" {
  description = "Task definition for single commands: migrate, users, doctor."
  value       = module.service.command_family
}

output "command_network" {
  description = "What `aws ecs run-task --network-configuration` takes."
  value = jsonencode({
    awsvpcConfiguration = {
      subnets        = module.network.private_subnet_ids
      securityGroups = module.service.security_group_ids
      assignPublicIp = "DISABLED"
    }
  })
}

output "log_group_name" {
  description = "Where the logs are."
  value       = module.service.log_group_name
}

output "repository_urls" {
  description = "Where images are pushed."
  value       = local.follows ? {} : module.registry[0].urls
}

output "database_arn" {
  description = "What a standby region follows."
  value       = module.database.arn
}

output "audit_bucket" {
  description = "Where exports of the audit trail are kept."
  value       = module.storage.audit_bucket_name
}

output "metrics_token_arn" {
  description = "Secret with the token that /metrics asks for."
  value       = module.secrets.arns["metrics-token"]
}

output "deployer_role_arn" {
  description = "What the pipeline takes on; empty without one."
  value       = var.deployer == null ? "" : module.deployer[0].role_arn
}

output "balancer_dns_name" {
  description = "The load balancer's own name, to try a standby before the name leads to it."
  value       = module.balancer.dns_name
}

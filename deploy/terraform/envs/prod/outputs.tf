output "platform" {
  description = "What commands and pipelines need to know."
  value       = module.platform
}

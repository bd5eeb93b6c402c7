# Production: doubled over two zones, and protected from being deleted.

locals {
  name = "msil-mcp-prod"
}

module "platform" {
  source = "../../modules/platform"

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  name        = local.name
  region      = var.region
  zones       = var.zones
  cidr        = "10.30.0.0/16"
  domain_name = var.domain_name
  zone_id     = var.zone_id

  settings       = var.settings
  more_secrets   = var.more_secrets
  upstream_ports = var.upstream_ports
  alarm_emails   = var.alarm_emails
  log_days       = 365
  protected      = true

  scraper_security_group_ids = var.scraper_security_group_ids

  # A server is one process, which one CPU is enough for.
  tasks = {
    cpu    = 1024
    memory = 2048
    min    = 2
    max    = 24
  }

  database = {
    instance_class   = "db.r7g.large"
    storage_gb       = 100
    max_storage_gb   = 1000
    max_connections  = 1600
    multi_az         = true
    read_replica     = true
    backup_days      = 35
    password_version = var.password_version
  }

  cache = {
    node_type = "cache.t4g.small"
    nodes     = 2
  }

  network = {
    nat_per_zone      = true
    private_endpoints = true
  }

  audit = {
    lock_mode = "COMPLIANCE"
    lock_days = 365
  }

  cdn = var.cdn_domain_name == "" ? null : {
    domain_name = var.cdn_domain_name
  }

  deployer = var.deployer_repository == "" ? null : {
    repository   = var.deployer_repository
    environment  = "production"
    provider_arn = var.github_provider_arn
  }

  replica_regions = var.standby_regions
}

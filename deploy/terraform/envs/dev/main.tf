# Development: the same parts as production, each as small as it goes, and nothing that costs twice.

locals {
  name = "msil-mcp-dev"
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
  cidr        = "10.20.0.0/16"
  domain_name = var.domain_name
  zone_id     = var.zone_id

  settings        = merge({ LOG_LEVEL = "debug" }, var.settings)
  more_secrets    = var.more_secrets
  upstream_ports  = var.upstream_ports
  alarm_emails    = var.alarm_emails
  log_days        = 30
  protected       = false
  execute_command = true

  scraper_security_group_ids = var.scraper_security_group_ids

  tasks = {
    cpu    = 512
    memory = 1024
    min    = 1
    max    = 2
    spot   = true
  }

  database = {
    instance_class  = "db.t4g.micro"
    storage_gb      = 20
    max_storage_gb  = 50
    max_connections = 80
    multi_az        = false
    read_replica    = false
    backup_days     = 7
  }

  cache = {
    node_type = "cache.t4g.micro"
    nodes     = 1
  }

  network = {
    nat_per_zone      = false
    private_endpoints = false
  }

  audit = {
    lock_mode = "GOVERNANCE"
    lock_days = 30
  }

  deployer = var.deployer_repository == "" ? null : {
    repository  = var.deployer_repository
    environment = "development"
  }
}

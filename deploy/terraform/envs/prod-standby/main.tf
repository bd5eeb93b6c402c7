# A second region that waits: network, database that follows production's, cache, load balancer and an
# empty service. It takes over when promoted is true. It is called as production is, because names of
# secrets are what both regions have in common.

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
  cidr        = "10.40.0.0/16"
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
    instance_class  = "db.r7g.large"
    storage_gb      = 100
    max_storage_gb  = 1000
    max_connections = 1600
    multi_az        = true
    read_replica    = true
    backup_days     = 35
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

  standby = {
    replicate_from_arn = var.primary_database_arn
    promoted           = var.promoted
    image              = var.image
  }
}

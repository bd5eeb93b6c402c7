# Everything of one environment in one region.

data "aws_caller_identity" "this" {}

locals {
  account_id = data.aws_caller_identity.this.account_id
  follows    = var.standby != null
  # A standby serves once it is promoted; until then its database cannot be written.
  serves = !local.follows || try(var.standby.promoted, false)

  recovery_days = var.protected ? 30 : 7
  repositories  = ["${var.name}/server", "${var.name}/booking-api"]
  image         = local.follows ? var.standby.image : coalesce(var.image, "${module.registry[0].urls["${var.name}/server"]}:latest")

  # Names of the CDN are this server's too: a browser says them in Host and Origin.
  settings = merge(
    var.cdn == null ? {} : {
      MSIL_ALLOWED_HOSTS   = var.cdn.domain_name
      MSIL_ALLOWED_ORIGINS = "https://${var.cdn.domain_name}"
    },
    length(var.bedrock_model_arns) > 0 ? { AWS_REGION = var.region } : {},
    var.settings,
  )
}

module "keys" {
  source = "../keys"

  name       = var.name
  account_id = local.account_id
  region     = var.region
}

module "storage" {
  source = "../storage"

  name       = var.name
  account_id = local.account_id
  region     = var.region
  key_arn    = module.keys.arn
  lock_mode  = var.audit.lock_mode
  lock_days  = var.audit.lock_days
  log_days   = var.log_days
}

module "network" {
  source = "../network"

  name                = var.name
  region              = var.region
  cidr                = var.cidr
  zones               = var.zones
  nat_per_zone        = var.network.nat_per_zone
  private_endpoints   = var.network.private_endpoints
  flow_log_bucket_arn = module.storage.log_bucket_arn
}

module "secrets" {
  source = "../secrets"

  name            = var.name
  key_arn         = module.keys.arn
  replica_regions = var.replica_regions
  replicated      = local.follows
  recovery_days   = local.recovery_days
}

module "registry" {
  source = "../registry"
  count  = local.follows ? 0 : 1

  names           = local.repositories
  key_arn         = module.keys.arn
  account_id      = local.account_id
  replica_regions = var.replica_regions
  # Fifty deployments: each is an index, two architectures, and what says how either was made.
  kept_images = 250
}

module "database" {
  source = "../database"

  name                = var.name
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.data_subnet_ids
  key_arn             = module.keys.arn
  password_secret_arn = module.secrets.arns["database"]
  password_version    = var.database.password_version
  instance_class      = var.database.instance_class
  storage_gb          = var.database.storage_gb
  max_storage_gb      = var.database.max_storage_gb
  multi_az            = var.database.multi_az
  # One that follows another region has no follower of its own until it is promoted.
  read_replica       = var.database.read_replica && local.serves
  replicate_from_arn = local.serves ? "" : var.standby.replicate_from_arn
  backup_days        = var.database.backup_days
  protected          = var.protected
  apply_immediately  = !var.protected
}

module "cache" {
  source = "../cache"

  name          = var.name
  vpc_id        = module.network.vpc_id
  subnet_ids    = module.network.data_subnet_ids
  key_arn       = module.keys.arn
  node_type     = var.cache.node_type
  nodes         = var.cache.nodes
  recovery_days = local.recovery_days
}

module "balancer" {
  source = "../balancer"

  name            = var.name
  vpc_id          = module.network.vpc_id
  subnet_ids      = module.network.public_subnet_ids
  domain_name     = var.domain_name
  other_names     = var.cdn == null ? [] : [var.cdn.domain_name]
  zone_id         = var.zone_id
  routed          = local.serves
  log_bucket_name = module.storage.log_bucket_name
  protected       = var.protected
  web_acl_arn     = var.web_acl_arn
  # A program that waits for a whole turn of a conversation hears nothing until it has ended.
  idle_seconds = 240
}

module "alarms" {
  source = "../alarms"

  name                 = var.name
  key_arn              = module.keys.arn
  emails               = var.alarm_emails
  balancer_suffix      = module.balancer.suffix
  target_group_suffix  = module.balancer.target_group_suffix
  database_identifiers = { primary = module.database.identifier }
  replica_identifier   = local.serves ? module.database.replica_identifier : module.database.identifier
  # A read replica shall be seconds behind; a standby region may lose no more than fifteen minutes.
  replica_lag_seconds = local.serves ? 60 : 600
  max_connections     = var.database.max_connections
  cache_node_ids      = module.cache.node_ids
  latency_seconds     = 1
}

module "service" {
  source = "../service"

  name                       = var.name
  region                     = var.region
  account_id                 = local.account_id
  vpc_id                     = module.network.vpc_id
  subnet_ids                 = module.network.private_subnet_ids
  target_group_arn           = module.balancer.target_group_arn
  balancer_security_group_id = module.balancer.security_group_id
  client_security_group_ids  = [module.database.client_security_group_id, module.cache.client_security_group_id]
  upstream_ports             = var.upstream_ports
  scraper_security_group_ids = var.scraper_security_group_ids
  key_arn                    = module.keys.arn
  image                      = local.image
  repository_arns            = [for name in local.repositories : "arn:aws:ecr:${var.region}:${local.account_id}:repository/${name}"]
  public_url                 = "https://${var.domain_name}"
  database_url               = module.database.url
  database_read_url          = module.database.read_url
  database_secret_arn        = module.secrets.arns["database"]
  redis_secret_arn           = module.cache.url_secret_arn
  secret_key_arn             = module.secrets.arns["secret-key"]
  metrics_token_arn          = module.secrets.arns["metrics-token"]
  more_secrets               = var.more_secrets
  more_secret_key_arns       = var.more_secret_key_arns
  settings                   = local.settings
  bedrock_model_arns         = var.bedrock_model_arns
  cpu                        = var.tasks.cpu
  memory                     = var.tasks.memory
  architecture               = var.architecture
  min_tasks                  = local.serves ? var.tasks.min : 0
  max_tasks                  = local.serves ? var.tasks.max : 0
  spot                       = var.tasks.spot
  log_days                   = var.log_days
  execute_command            = var.execute_command
  rollback_alarms            = module.alarms.rollback_alarms
  alarm_topic_arn            = module.alarms.topic_arn
}

module "export" {
  source = "../export"
  count  = local.serves ? 1 : 0

  name               = var.name
  account_id         = local.account_id
  cluster_arn        = module.service.cluster_arn
  container          = module.service.container
  execution_role_arn = module.service.execution_role_arn
  subnet_ids         = module.network.private_subnet_ids
  security_group_ids = module.service.security_group_ids
  bucket_name        = module.storage.audit_bucket_name
  bucket_arn         = module.storage.audit_bucket_arn
  key_arn            = module.keys.arn
  architecture       = var.architecture
  uploader_image     = var.audit.uploader_image
  schedule           = var.audit.schedule
  log_group_name     = module.service.log_group_name
  alarm_topic_arn    = module.alarms.topic_arn
}

module "cdn" {
  source = "../cdn"
  count  = var.cdn == null || !local.serves ? 0 : 1

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  name               = var.name
  domain_name        = var.cdn.domain_name
  origin_domain_name = var.domain_name
  zone_id            = var.zone_id
  web_acl_arn        = var.cdn.web_acl_arn
}

module "deployer" {
  source = "../deployer"
  count  = var.deployer == null ? 0 : 1

  name            = var.name
  region          = var.region
  account_id      = local.account_id
  repository      = var.deployer.repository
  environment     = var.deployer.environment
  provider_arn    = var.deployer.provider_arn
  cluster_arn     = module.service.cluster_arn
  service_arn     = module.service.service_arn
  task_families   = [module.service.service_name, module.service.command_family]
  role_arns       = concat([module.service.execution_role_arn, module.service.task_role_arn], module.export[*].task_role_arn)
  repository_arns = local.follows ? [] : values(module.registry[0].arns)
  log_group_name  = module.service.log_group_name
}

# Valkey, for the rate limits that replicas share. It keeps nothing that would be missed.

locals {
  port = 6379
}

# ElastiCache has no argument that is only written, so this token is in the state, which is encrypted;
# it opens counters of calls, and nothing else. Every plan reads another: the one that counts is kept in the
# secret below, and replacing that gives cache and tasks a new one.
data "aws_secretsmanager_random_password" "token" {
  password_length     = 64
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "token" {
  #checkov:skip=CKV2_AWS_57:replaced by hand, with the URL that holds it
  name                    = "${var.name}/redis-token"
  description             = "What the tasks show Valkey"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days
}

resource "aws_secretsmanager_secret_version" "token" {
  secret_id     = aws_secretsmanager_secret.token.id
  secret_string = data.aws_secretsmanager_random_password.token.random_password

  lifecycle {
    ignore_changes = [secret_string]
  }
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-cache"
  description = "Valkey, from tasks that belong to its clients"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-cache" }
}

resource "aws_security_group" "clients" {
  #checkov:skip=CKV2_AWS_5:its members are the service's tasks, which another module makes
  name        = "${var.name}-cache-clients"
  description = "May connect to Valkey"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-cache-clients" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  security_group_id            = aws_security_group.this.id
  description                  = "From its clients"
  referenced_security_group_id = aws_security_group.clients.id
  from_port                    = local.port
  to_port                      = local.port
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "clients" {
  security_group_id            = aws_security_group.clients.id
  description                  = "To Valkey"
  referenced_security_group_id = aws_security_group.this.id
  from_port                    = local.port
  to_port                      = local.port
  ip_protocol                  = "tcp"
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV2_AWS_50:prod has two nodes and fails over; dev limits by process while one is away
  replication_group_id = var.name
  description          = "Rate limits shared by replicas of ${var.name}"

  engine             = "valkey"
  engine_version     = "8.0"
  node_type          = var.node_type
  num_cache_clusters = var.nodes
  port               = local.port

  automatic_failover_enabled = var.nodes > 1
  multi_az_enabled           = var.nodes > 1
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this.id]

  at_rest_encryption_enabled = true
  kms_key_id                 = var.key_arn
  transit_encryption_enabled = true
  auth_token                 = aws_secretsmanager_secret_version.token.secret_string
  auth_token_update_strategy = "ROTATE"

  maintenance_window         = "sun:20:00-sun:21:00"
  auto_minor_version_upgrade = true
  apply_immediately          = true
}

resource "aws_secretsmanager_secret" "url" {
  #checkov:skip=CKV2_AWS_57:holds a URL whose token is replaced with this resource
  name                    = "${var.name}/redis-url"
  description             = "REDIS_URL"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days
}

resource "aws_secretsmanager_secret_version" "url" {
  secret_id     = aws_secretsmanager_secret.url.id
  secret_string = "rediss://:${aws_secretsmanager_secret_version.token.secret_string}@${aws_elasticache_replication_group.this.primary_endpoint_address}:${local.port}/0"
}

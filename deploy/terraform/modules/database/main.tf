# PostgreSQL: encrypted, reachable from the tasks alone, backed up to the second, with a standby and a
# read replica where asked for.

locals {
  port       = 5432
  is_primary = var.replicate_from_arn == ""
}

ephemeral "aws_secretsmanager_secret_version" "password" {
  count = local.is_primary ? 1 : 0

  secret_id = var.password_secret_arn
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "PostgreSQL, from tasks that belong to its clients"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database" }
}

# Membership of this group is what lets a task connect.
resource "aws_security_group" "clients" {
  #checkov:skip=CKV2_AWS_5:its members are the service's tasks, which another module makes
  name        = "${var.name}-database-clients"
  description = "May connect to PostgreSQL"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database-clients" }
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
  description                  = "To PostgreSQL"
  referenced_security_group_id = aws_security_group.this.id
  from_port                    = local.port
  to_port                      = local.port
  ip_protocol                  = "tcp"
}

resource "aws_db_parameter_group" "this" {
  name   = "${var.name}-17"
  family = "postgres17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "500"
  }

  parameter {
    name  = "log_lock_waits"
    value = "1"
  }

  # A replica tells which rows its queries still need, instead of having the queries cancelled.
  parameter {
    name  = "hot_standby_feedback"
    value = "1"
  }
}

data "aws_iam_policy_document" "monitoring" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "monitoring" {
  name_prefix        = "${substr(var.name, 0, 20)}-rds-"
  assume_role_policy = data.aws_iam_policy_document.monitoring.json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_157:prod has multi_az; dev may be away for a while
  #checkov:skip=CKV_AWS_293:prod is protected; dev is thrown away
  identifier     = var.name
  instance_class = var.instance_class

  # What a follower of another region takes over from its primary.
  replicate_source_db = local.is_primary ? null : var.replicate_from_arn
  engine              = local.is_primary ? "postgres" : null
  engine_version      = local.is_primary ? "17" : null
  db_name             = local.is_primary ? "msil" : null
  username            = local.is_primary ? "msil" : null
  password_wo         = local.is_primary ? ephemeral.aws_secretsmanager_secret_version.password[0].secret_string : null
  password_wo_version = local.is_primary ? var.password_version : null
  allocated_storage   = local.is_primary ? var.storage_gb : null

  max_allocated_storage = var.max_storage_gb
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.key_arn

  multi_az               = var.multi_az
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  port                   = local.port
  ca_cert_identifier     = "rds-ca-rsa2048-g1"
  parameter_group_name   = aws_db_parameter_group.this.name

  iam_database_authentication_enabled = true

  backup_retention_period    = var.backup_days
  backup_window              = "20:00-20:45"
  maintenance_window         = "sun:21:00-sun:22:00"
  copy_tags_to_snapshot      = true
  deletion_protection        = var.protected
  skip_final_snapshot        = !var.protected
  final_snapshot_identifier  = var.protected ? "${var.name}-final" : null
  delete_automated_backups   = !var.protected
  apply_immediately          = var.apply_immediately
  auto_minor_version_upgrade = true

  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  lifecycle {
    precondition {
      condition     = !var.read_replica || var.backup_days > 0
      error_message = "A read replica needs backups: backup_days above 0."
    }
  }
}

resource "aws_db_instance" "replica" {
  #checkov:skip=CKV_AWS_157:it is the second of two; without it the primary answers
  #checkov:skip=CKV_AWS_293:it holds nothing of its own
  count = var.read_replica ? 1 : 0

  identifier          = "${var.name}-read"
  replicate_source_db = aws_db_instance.this.identifier
  instance_class      = var.instance_class

  max_allocated_storage  = var.max_storage_gb
  storage_type           = "gp3"
  storage_encrypted      = true
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"
  parameter_group_name   = aws_db_parameter_group.this.name

  iam_database_authentication_enabled = true

  maintenance_window         = "sun:22:00-sun:23:00"
  copy_tags_to_snapshot      = true
  skip_final_snapshot        = true
  apply_immediately          = var.apply_immediately
  auto_minor_version_upgrade = true

  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key_arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
}

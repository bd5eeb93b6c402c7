# Secrets are made here and never pass through Terraform's state: what makes them is ephemeral, and
# what stores them is written only. Replacing a value is a matter of Secrets Manager, not of an apply.

locals {
  # Letters and digits alone need no escaping in a URL, and 64 of them are 48 bytes of base64.
  made = {
    "secret-key"    = "MSIL_SECRET_KEY: every other key is derived from it"
    "metrics-token" = "MSIL_METRICS_TOKEN: what a scraper shows"
    "database"      = "Password of the database's owner"
  }
  # What two regions must have in common, lest the standby could not open what the primary sealed.
  shared = ["secret-key", "database"]
  own    = { for name, text in local.made : name => text if !(var.replicated && contains(local.shared, name)) }
}

ephemeral "aws_secretsmanager_random_password" "this" {
  for_each = local.own

  password_length     = 64
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:rotated by hand; the new secret key must stand before the old one, and tasks restart
  for_each = local.own

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days

  dynamic "replica" {
    for_each = contains(local.shared, each.key) ? var.replica_regions : []

    content {
      region = replica.value
    }
  }
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = local.own

  secret_id                = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.this[each.key].random_password
  secret_string_wo_version = 1
}

data "aws_secretsmanager_secret" "replicated" {
  for_each = var.replicated ? toset(local.shared) : toset([])

  name = "${var.name}/${each.key}"
}

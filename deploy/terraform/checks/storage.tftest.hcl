# What must be kept cannot be deleted, and what is the account's alone stays there.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01" }
  }
}

variables {
  name       = "msil-mcp-prod"
  account_id = "123456789012"
  region     = "ap-south-1"
  key_arn    = "arn:aws:kms:ap-south-1:123456789012:key/any"
  lock_mode  = "COMPLIANCE"
  lock_days  = 365
  log_days   = 365

  names           = ["msil-mcp-prod/server", "msil-mcp-prod/booking-api"]
  kept_images     = 50
  replica_regions = ["ap-south-2"]

  vpc_id        = "vpc-0123456789abcdef0"
  subnet_ids    = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  node_type     = "cache.t4g.small"
  nodes         = 2
  recovery_days = 30
}

run "exports_are_locked" {
  command = apply

  module {
    source = "../modules/storage"
  }

  assert {
    condition     = aws_s3_bucket.audit.object_lock_enabled
    error_message = "It can be switched on at the beginning only."
  }

  assert {
    condition     = one(one(aws_s3_bucket_object_lock_configuration.audit.rule).default_retention).mode == "COMPLIANCE"
    error_message = "Nobody deletes, root included."
  }
}

run "another_mode_is_refused" {
  command = plan

  module {
    source = "../modules/storage"
  }

  variables {
    lock_mode = "NONE"
  }

  expect_failures = [var.lock_mode]
}

run "images_keep_their_tags_and_are_copied" {
  command = apply

  module {
    source = "../modules/registry"
  }

  assert {
    condition     = alltrue([for one in aws_ecr_repository.this : one.image_tag_mutability == "IMMUTABLE"])
    error_message = "A tag once given stays."
  }

  assert {
    condition     = length(aws_ecr_replication_configuration.this) == 1
    error_message = "The standby region has them."
  }
}

run "the_cache_and_the_tasks_have_one_token" {
  command = apply

  module {
    source = "../modules/cache"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.auth_token == aws_secretsmanager_secret_version.token.secret_string
    error_message = "The one that is kept."
  }

  assert {
    condition     = strcontains(aws_secretsmanager_secret_version.url.secret_string, ":${aws_secretsmanager_secret_version.token.secret_string}@")
    error_message = "The same."
  }
}

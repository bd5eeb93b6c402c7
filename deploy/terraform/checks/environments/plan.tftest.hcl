# A whole environment, planned on an AWS that is made up: nothing goes round in a circle, and how many there
# are of anything is known before any of it is there. scripts/check_terraform.sh puts this into each.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01" }
  }

  # AWS tells the real one while it plans.
  mock_resource "aws_acm_certificate" {
    override_during = plan

    defaults = {
      arn                       = "arn:aws:acm:ap-south-1:123456789012:certificate/any"
      domain_validation_options = []
    }
  }
}

mock_provider "aws" {
  alias = "us_east_1"

  mock_resource "aws_acm_certificate" {
    override_during = plan

    defaults = {
      arn                       = "arn:aws:acm:us-east-1:123456789012:certificate/any"
      domain_validation_options = []
    }
  }
}

variables {
  domain_name                = "mcp.example.com"
  zone_id                    = "Z0123456789ABCDEFGHIJ"
  alarm_emails               = ["operators@example.com"]
  scraper_security_group_ids = ["sg-0123456789abcdef0"]

  # Each environment takes those of the rest that it knows.
  deployer_repository  = "example/msil-mcp"
  cdn_domain_name      = "apps.example.com"
  standby_regions      = ["ap-south-2"]
  primary_database_arn = "arn:aws:rds:ap-south-1:123456789012:db:msil-mcp-prod"
  image                = "registry.example.com/msil-mcp:0.1.0"
}

run "everything" {
  command = plan
}

run "a_standby_that_was_promoted" {
  command = plan

  variables {
    promoted = true
  }
}

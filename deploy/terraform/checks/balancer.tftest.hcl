# HTTPS, no stickiness, and alarms on what comes out of it.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_lb" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:ap-south-1:123456789012:loadbalancer/app/msil/0123456789abcdef"
      arn_suffix = "app/msil/0123456789abcdef"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-south-1:123456789012:targetgroup/msil/0123456789abcdef" }
  }

  mock_resource "aws_acm_certificate" {
    override_during = plan

    defaults = {
      arn                       = "arn:aws:acm:ap-south-1:123456789012:certificate/any"
      domain_validation_options = []
    }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:ap-south-1:123456789012:alarms" }
  }
}

variables {
  name            = "msil-mcp-prod"
  vpc_id          = "vpc-0123456789abcdef0"
  subnet_ids      = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  domain_name     = "mcp.example.com"
  other_names     = ["apps.example.com"]
  zone_id         = "Z0123456789ABCDEFGHIJ"
  routed          = true
  log_bucket_name = "logs"
  protected       = true
  idle_seconds    = 120
  web_acl_arn     = ""

  key_arn              = "arn:aws:kms:ap-south-1:123456789012:key/any"
  emails               = ["operators@example.com"]
  balancer_suffix      = "app/msil/0123456789abcdef"
  target_group_suffix  = "targetgroup/msil/0123456789abcdef"
  database_identifiers = { primary = "msil-mcp-prod" }
  replica_identifier   = "msil-mcp-prod-read"
  replica_lag_seconds  = 60
  max_connections      = 1000
  cache_node_ids       = ["msil-mcp-prod-001", "msil-mcp-prod-002"]
  latency_seconds      = 1
}

run "requests_go_to_any_ready_task" {
  command = plan

  module {
    source = "../modules/balancer"
  }

  assert {
    condition     = one(aws_lb_target_group.this.stickiness).enabled == false
    error_message = "Nothing is sticky."
  }

  assert {
    condition     = one(aws_lb_target_group.this.health_check).path == "/ready"
    error_message = "A task that is not ready gets nothing."
  }

  assert {
    condition     = one(aws_lb_listener.http.default_action).type == "redirect"
    error_message = "Nothing is answered without TLS."
  }

  assert {
    condition     = length(aws_route53_record.this) == 1 && length(aws_wafv2_web_acl_association.this) == 0
    error_message = "The name leads here; no web ACL was given."
  }
}

run "a_standby_does_not_take_the_name" {
  command   = plan
  state_key = "standby"

  module {
    source = "../modules/balancer"
  }

  variables {
    routed = false
  }

  assert {
    condition     = length(aws_route53_record.this) == 0
    error_message = "The name leads to the region that serves."
  }
}

run "somebody_is_told" {
  command = apply

  module {
    source = "../modules/alarms"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.cache_cpu) == 2 && length(aws_cloudwatch_metric_alarm.replica_lag) == 1
    error_message = "Each node and the replica are watched."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.database_connections["primary"].threshold == 800
    error_message = "Four fifths of the connections."
  }

  assert {
    condition     = output.rollback_alarms == ["msil-mcp-prod-errors"]
    error_message = "Errors undo a deployment."
  }
}

# What a task is, and what is done with it.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
}

variables {
  name                       = "msil-mcp-prod"
  region                     = "ap-south-1"
  account_id                 = "123456789012"
  vpc_id                     = "vpc-0123456789abcdef0"
  subnet_ids                 = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  target_group_arn           = "arn:aws:elasticloadbalancing:ap-south-1:123456789012:targetgroup/msil/0123456789abcdef"
  balancer_security_group_id = "sg-0123456789abcdef0"
  client_security_group_ids  = ["sg-0123456789abcdef1", "sg-0123456789abcdef2"]
  upstream_ports             = [8443]
  scraper_security_group_ids = []
  key_arn                    = "arn:aws:kms:ap-south-1:123456789012:key/any"
  image                      = "registry.example.com/msil-mcp:0.1.0"
  repository_arns            = ["arn:aws:ecr:ap-south-1:123456789012:repository/msil-mcp-prod/server"]
  public_url                 = "https://mcp.example.com"
  database_url               = "postgresql://msil@primary.example.com:5432/msil?sslmode=require"
  database_read_url          = ""
  database_secret_arn        = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:database"
  redis_secret_arn           = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:redis"
  secret_key_arn             = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:key"
  metrics_token_arn          = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:metrics"
  more_secrets               = { OPENAI_API_KEY = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:openai" }
  more_secret_key_arns       = []
  settings                   = { LOG_LEVEL = "debug" }
  bedrock_model_arns         = []
  cpu                        = 1024
  memory                     = 2048
  architecture               = "X86_64"
  min_tasks                  = 2
  max_tasks                  = 10
  spot                       = false
  log_days                   = 365
  execute_command            = false
  rollback_alarms            = ["msil-mcp-prod-errors"]
  alarm_topic_arn            = "arn:aws:sns:ap-south-1:123456789012:alarms"
}

run "a_task_is_what_the_server_needs" {
  command = apply

  module {
    source = "../modules/service"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/ecs/msil-mcp-prod"
    error_message = "Logs are looked for under this name."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.server.container_definitions)[0].name == "mcp-server"
    error_message = "Streams of the log are named after the container."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.server.container_definitions)[0].readonlyRootFilesystem
    error_message = "The root file system is read-only."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.server.container_definitions)[0].stopTimeout == 75
    error_message = "Five seconds to leave, thirty for requests, thirty for calls, ten for the last records."
  }

  assert {
    condition = { for one in jsondecode(aws_ecs_task_definition.server.container_definitions)[0].environment : one.name => one.value } == {
      DATABASE_URL    = "postgresql://msil@primary.example.com:5432/msil?sslmode=require"
      HOST            = "0.0.0.0"
      LOG_LEVEL       = "debug"
      MSIL_DATA_DIR   = "/tmp"
      MSIL_PUBLIC_URL = "https://mcp.example.com"
      PORT            = "8000"
    }
    error_message = "Settings reach the task, and no read URL where there is no replica."
  }

  assert {
    condition     = toset([for one in jsondecode(aws_ecs_task_definition.server.container_definitions)[0].secrets : one.name]) == toset(["MSIL_METRICS_TOKEN", "MSIL_SECRET_KEY", "OPENAI_API_KEY", "PGPASSWORD", "REDIS_URL"])
    error_message = "Secrets come from Secrets Manager."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.command.container_definitions)[0].command == ["msil-mcp", "migrate"]
    error_message = "The command task migrates unless told otherwise."
  }

  assert {
    condition     = one(aws_ecs_service.this.deployment_circuit_breaker).rollback && one(aws_ecs_service.this.alarms).rollback
    error_message = "A deployment that does not come up, or raises an alarm, is undone."
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_egress_rule.upstreams)) == toset(["443", "8443"])
    error_message = "Only the ports of the APIs are open."
  }

  assert {
    condition     = aws_appautoscaling_target.this.min_capacity == 2 && aws_appautoscaling_target.this.max_capacity == 10
    error_message = "The load decides between these."
  }

  assert {
    condition     = aws_cloudwatch_log_metric_filter.watched["audit-altered"].pattern == "{ ($.event = \"audit_trail_altered\") || ($.event = \"audit_chain_lost\") || ($.event = \"audit_pruning_refused\") }"
    error_message = "Events of the log are counted by their names."
  }
}

run "a_read_replica_and_models_are_passed_on" {
  command = apply

  module {
    source = "../modules/service"
  }

  variables {
    database_read_url  = "postgresql://msil@read.example.com:5432/msil?sslmode=require"
    bedrock_model_arns = ["arn:aws:bedrock:ap-south-1::foundation-model/any"]
  }

  assert {
    condition     = contains([for one in jsondecode(aws_ecs_task_definition.server.container_definitions)[0].environment : one.name], "DATABASE_READ_URL")
    error_message = "The replica is used."
  }

  assert {
    condition     = length(aws_iam_role_policy.bedrock) == 1 && length(aws_iam_role_policy.shell) == 0
    error_message = "The task may ask the models, and nobody may open a shell."
  }
}

run "a_longer_drain_has_its_time" {
  command = apply

  module {
    source = "../modules/service"
  }

  variables {
    settings = { MSIL_DRAIN_SECONDS = "60" }
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.server.container_definitions)[0].stopTimeout == 105
    error_message = "The setting counts."
  }
}

run "more_time_than_fargate_gives_is_refused" {
  command = plan

  module {
    source = "../modules/service"
  }

  variables {
    settings = { MSIL_CALL_TIMEOUT_SECONDS = "90" }
  }

  expect_failures = [aws_ecs_task_definition.server]
}

run "a_shell_and_a_scraper_get_what_they_need" {
  command = apply

  module {
    source = "../modules/service"
  }

  variables {
    execute_command            = true
    scraper_security_group_ids = ["sg-0123456789abcdef3"]
  }

  assert {
    condition     = !jsondecode(aws_ecs_task_definition.server.container_definitions)[0].readonlyRootFilesystem
    error_message = "ECS opens no shell in a task whose root cannot be written."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.command.container_definitions)[0].readonlyRootFilesystem
    error_message = "Nobody opens one in a single command."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.scrapers["0"].referenced_security_group_id == "sg-0123456789abcdef3"
    error_message = "Prometheus asks each task by itself."
  }
}

run "a_standby_runs_nothing" {
  command   = apply
  state_key = "standby"

  module {
    source = "../modules/service"
  }

  variables {
    min_tasks = 0
    max_tasks = 0
  }

  assert {
    condition     = aws_ecs_service.this.desired_count == 0 && length(aws_cloudwatch_metric_alarm.running) == 0
    error_message = "No task, and no alarm that there is none."
  }
}

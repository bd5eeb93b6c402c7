# The server on Fargate: tasks behind the load balancer, as many as the load asks for, replaced one by
# one, and put back by themselves when a deployment does not come up.

locals {
  # What the server does with a stop, in seconds, unless settings say otherwise: it leaves, requests drain,
  # and calls that outlive their callers end. Then the last audit records are written.
  going        = { MSIL_LEAVE_SECONDS = 5, MSIL_DRAIN_SECONDS = 30, MSIL_CALL_TIMEOUT_SECONDS = 30 }
  stop_seconds = ceil(sum([for name, seconds in local.going : tonumber(lookup(var.settings, name, seconds))])) + 10

  environment = merge(
    {
      HOST            = "0.0.0.0"
      PORT            = "8000"
      MSIL_DATA_DIR   = "/tmp"
      MSIL_PUBLIC_URL = var.public_url
      DATABASE_URL    = var.database_url
    },
    var.database_read_url == "" ? {} : { DATABASE_READ_URL = var.database_read_url },
    var.settings,
  )

  secrets = merge(
    {
      # libpq, below the driver, takes the password from here; so no URL holds one.
      PGPASSWORD         = var.database_secret_arn
      REDIS_URL          = var.redis_secret_arn
      MSIL_SECRET_KEY    = var.secret_key_arn
      MSIL_METRICS_TOKEN = var.metrics_token_arn
    },
    var.more_secrets,
  )

  container = {
    image                  = var.image
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    stopTimeout            = local.stop_seconds
    environment            = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
    secrets                = [for name in sort(keys(local.secrets)) : { name = name, valueFrom = local.secrets[name] }]
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = var.region
        awslogs-stream-prefix = "ecs"
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = var.key_arn
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enhanced"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_security_group" "this" {
  name        = "${var.name}-tasks"
  description = "From the load balancer to the tasks, and from them to the APIs that tools call"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-tasks" }
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  security_group_id            = aws_security_group.this.id
  description                  = "From the load balancer"
  referenced_security_group_id = var.balancer_security_group_id
  from_port                    = 8000
  to_port                      = 8000
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_ingress_rule" "scrapers" {
  for_each = { for index, group in var.scraper_security_group_ids : tostring(index) => group }

  security_group_id            = aws_security_group.this.id
  description                  = "From Prometheus, to every task by itself"
  referenced_security_group_id = each.value
  from_port                    = 8000
  to_port                      = 8000
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  security_group_id            = var.balancer_security_group_id
  description                  = "To the tasks"
  referenced_security_group_id = aws_security_group.this.id
  from_port                    = 8000
  to_port                      = 8000
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "upstreams" {
  for_each = toset([for port in concat([443], var.upstream_ports) : tostring(port)])

  security_group_id = aws_security_group.this.id
  description       = "To APIs, models and AWS"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
  ip_protocol       = "tcp"
}

# Revisions stay: the service may run, or go back to, one that the pipeline made of an older one.
resource "aws_ecs_task_definition" "server" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  skip_destroy             = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([merge(local.container, {
    name         = "mcp-server"
    command      = ["msil-mcp", "serve"]
    portMappings = [{ name = "http", containerPort = 8000, protocol = "tcp", appProtocol = "http" }]
    # What opens a shell in a task has to write below the root.
    readonlyRootFilesystem = !var.execute_command

    healthCheck = {
      command     = ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=3)"]
      interval    = 15
      timeout     = 5
      retries     = 4
      startPeriod = 60
    }
  })])

  lifecycle {
    precondition {
      condition     = local.stop_seconds <= 120
      error_message = "Fargate kills a task after 120 seconds: MSIL_LEAVE_SECONDS, MSIL_DRAIN_SECONDS and MSIL_CALL_TIMEOUT_SECONDS together may be 110."
    }
  }
}

# One command of the same image: `msil-mcp migrate` before a deployment, others by an override.
resource "aws_ecs_task_definition" "command" {
  family                   = "${var.name}-command"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  skip_destroy             = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([merge(local.container, {
    name    = "command"
    command = ["msil-mcp", "migrate"]
  })])
}

resource "aws_ecs_service" "this" {
  name             = var.name
  cluster          = aws_ecs_cluster.this.id
  task_definition  = aws_ecs_task_definition.server.arn
  desired_count    = var.min_tasks
  platform_version = "LATEST"
  propagate_tags   = "SERVICE"

  enable_ecs_managed_tags           = true
  enable_execute_command            = var.execute_command
  availability_zone_rebalancing     = "ENABLED"
  health_check_grace_period_seconds = 90

  # New tasks are ready before old ones go.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  alarms {
    enable      = length(var.rollback_alarms) > 0
    rollback    = true
    alarm_names = var.rollback_alarms
  }

  capacity_provider_strategy {
    capacity_provider = var.spot ? "FARGATE_SPOT" : "FARGATE"
    weight            = 1
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = concat([aws_security_group.this.id], var.client_security_group_ids)
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = var.target_group_arn
    container_name   = "mcp-server"
    container_port   = 8000
  }

  lifecycle {
    # The pipeline deploys revisions with new images, and the load decides how many tasks there are.
    ignore_changes = [task_definition, desired_count]
  }

  depends_on = [aws_iam_role_policy.execution, aws_ecs_cluster_capacity_providers.this]
}

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.min_tasks
  max_capacity       = var.max_tasks
}

resource "aws_appautoscaling_policy" "cpu" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  resource_id        = aws_appautoscaling_target.this.resource_id
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_out_cooldown = 30
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "memory" {
  name               = "memory"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  resource_id        = aws_appautoscaling_target.this.resource_id
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = 75
    scale_out_cooldown = 30
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageMemoryUtilization"
    }
  }
}

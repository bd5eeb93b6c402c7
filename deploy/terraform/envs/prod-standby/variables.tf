variable "region" {
  description = "The standby's region."
  type        = string
  default     = "ap-south-2"
}

variable "zones" {
  description = "Two availability zones or more."
  type        = list(string)
  default     = ["ap-south-2a", "ap-south-2b"]
}

variable "primary_database_arn" {
  description = "Output database_arn of envs/prod."
  type        = string
}

variable "image" {
  description = "Image in this region's copy of the repository, with its digest: what production runs."
  type        = string
}

variable "promoted" {
  description = "True makes this region the one that serves: its database is promoted, its tasks start, and the name leads here."
  type        = bool
  default     = false
}

variable "domain_name" {
  description = "Name people and clients use."
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone of the name."
  type        = string
}

variable "alarm_emails" {
  description = "Who is told of alarms."
  type        = list(string)
}

variable "settings" {
  description = "Settings that are no secrets, by variable."
  type        = map(string)
  default     = {}
}

variable "more_secrets" {
  description = "ARNs of secrets you made, by the variable they become: OPENAI_API_KEY and the like."
  type        = map(string)
  default     = {}
}

variable "upstream_ports" {
  description = "Ports of the APIs that tools call, beside 443."
  type        = list(number)
  default     = []
}

variable "scraper_security_group_ids" {
  description = "Groups of a Prometheus in this VPC, which asks every task by itself."
  type        = list(string)
  default     = []
}

variable "region" {
  description = "The region."
  type        = string
  default     = "ap-south-1"
}

variable "zones" {
  description = "Two availability zones or more."
  type        = list(string)
  default     = ["ap-south-1a", "ap-south-1b"]
}

variable "standby_regions" {
  description = "Regions with a standby, that of envs/prod-standby; empty: none."
  type        = list(string)
  default     = []
}

variable "cdn_domain_name" {
  description = "Name of the web apps at CloudFront; empty: no CDN."
  type        = string
  default     = ""
}

variable "deployer_repository" {
  description = "GitHub repository whose pipeline deploys, OWNER/NAME; empty: none."
  type        = string
  default     = ""
}

variable "github_provider_arn" {
  description = "The account's OpenID Connect provider for GitHub, where there is one: development may have made it."
  type        = string
  default     = ""
}

variable "password_version" {
  description = "Raise it after replacing the database's password in Secrets Manager."
  type        = number
  default     = 1
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

variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "repository" {
  description = "The GitHub repository, OWNER/NAME."
  type        = string
}

variable "environment" {
  description = "The GitHub environment whose jobs may deploy; its reviewers are the approval."
  type        = string
}

variable "provider_arn" {
  description = "The account's OpenID Connect provider for GitHub; empty: made here."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster."
  type        = string
}

variable "service_arn" {
  description = "The service."
  type        = string
}

variable "task_families" {
  description = "Task definitions whose revisions it registers and runs."
  type        = list(string)
}

variable "role_arns" {
  description = "Roles of tasks."
  type        = list(string)
}

variable "repository_arns" {
  description = "Image repositories it pushes to."
  type        = list(string)
}

variable "log_group_name" {
  description = "Log it reads after a failure."
  type        = string
}

variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "account_id" {
  description = "The account."
  type        = string
}

variable "cluster_arn" {
  description = "Where the task runs."
  type        = string
}

variable "container" {
  description = "The server's container."
  type        = any
}

variable "execution_role_arn" {
  description = "What starts tasks."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Groups of the task."
  type        = list(string)
}

variable "bucket_name" {
  description = "Where exports are kept."
  type        = string
}

variable "bucket_arn" {
  description = "Where exports are kept."
  type        = string
}

variable "key_arn" {
  description = "The key that encrypts them."
  type        = string
}

variable "architecture" {
  description = "X86_64 or ARM64."
  type        = string
}

variable "uploader_image" {
  description = "Image with the AWS CLI."
  type        = string
}

variable "log_group_name" {
  description = "Where the task says what it did."
  type        = string
}

variable "alarm_topic_arn" {
  description = "Who is told when a night is missing."
  type        = string
}

variable "schedule" {
  description = "When, in UTC, after the day has ended."
  type        = string
}

module akeso.dev/lab/service

go 1.26.0

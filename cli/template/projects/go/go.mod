module example.com/new-project

go 1.26
